import { equal, match, ok, throws } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

import type { AnyCommand } from '../../../src/cli/command.ts';
import { copyCommand } from '../../../src/cli/commands/copy.ts';
import { inspectCommand } from '../../../src/cli/commands/inspect.ts';
import { verifyCommand } from '../../../src/cli/commands/verify.ts';
import { completionScript } from '../../../src/cli/completion-script.ts';

const COMMANDS: readonly AnyCommand[] = [copyCommand, inspectCommand];

/** What bash offers after these words. */
function offered(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash', COMMANDS)}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _registry_sync; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  equal(status, 0, stderr);
  return stdout.split('\n').filter(Boolean);
}

describe('completionScript', () => {
  it('has bash offer commands, then the options of the one that is there', () => {
    equal(offered('registry-sync', 'ins').join(), 'inspect');
    equal(
      offered('registry-sync', 'copy', '--dest-comp').join(),
      '--dest-compress,--dest-compress-format,--dest-compress-level',
    );
    ok(!offered('registry-sync', 'inspect', '--').includes('--dest-compress'));
    ok(!offered('registry-sync', 'copy', '--').includes('--sign-by'), 'hidden');
  });

  it('has zsh do as bash, and fish have a line for each', () => {
    match(completionScript('zsh', COMMANDS), /^#compdef registry-sync\n/);
    const fish = completionScript('fish', COMMANDS);
    match(
      fish,
      /^complete -c registry-sync -n __fish_use_subcommand -f -a copy -d 'Copy one image/m,
    );
    match(fish, /-l all -s a -d 'all images of a list, and the list'$/m);
    match(completionScript('fish', [verifyCommand]), /-l deep -d/); // needs no value
  });

  it('refuses other shells', () => {
    throws(() => completionScript('tcsh', COMMANDS), { code: 'USAGE' });
  });
});
