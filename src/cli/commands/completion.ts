/** `registry-sync completion`: what shells need to complete command lines. */
import { defineCommand, type AnyCommand } from '../command.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';

/** `commands` are those that are completed. */
export const completionCommand = (commands: () => readonly AnyCommand[]): AnyCommand =>
  defineCommand({
    name: 'completion',
    summary: 'Print a script that completes command lines',
    words: { usage: 'bash|zsh|fish', least: 1, most: 1 },
    options: GLOBAL_OPTIONS,
    examples: [
      ['source <($0 completion bash)', 'in .bashrc'],
      ['$0 completion fish >~/.config/fish/completions/registry-sync.fish', 'once'],
    ],
    load: async () => {
      const { completionScript } = await import('../completion-script.ts');
      return async (_values, io, [shell = '']) => {
        io.stdout.write(completionScript(shell, commands()));
        return 0;
      };
    },
  });
