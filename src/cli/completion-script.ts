/**
 * Scripts for shells that complete the names of commands and options.
 *
 * Sources: bash(1), «Programmable Completion»; zshcompsys(1), `_arguments`; fish, complete(1).
 */
import { RegistrySyncError } from '../base/errors.ts';
import type { AnyCommand, OptionSpec } from './command.ts';

const NAME = 'registry-sync';

/** @throws {RegistrySyncError} `USAGE` for a shell that is not known. */
export function completionScript(shell: string, commands: readonly AnyCommand[]): string {
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return `#compdef ${NAME}\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
    case 'fish':
      return fish(commands);
    default: {
      const message = `completion: ${JSON.stringify(shell)} is none of bash, zsh, fish`;
      throw new RegistrySyncError('USAGE', message);
    }
  }
}

function shownOptions({ options }: AnyCommand): [string, OptionSpec][] {
  return Object.entries(options).filter(([, { hidden }]) => hidden !== true);
}

function bash(commands: readonly AnyCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const cases = commands.map((command) => {
    const options = [...shownOptions(command).map(([name]) => `--${name}`), '--help'];
    return `    ${command.name}) words="${options.join(' ')}" ;;`;
  });
  return `_registry_sync() {
  local current="\${COMP_WORDS[COMP_CWORD]}" word command="" words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in ${names.replaceAll(' ', '|')}) command="$word"; break ;; esac
  done
  case "$command" in
    "") words="${names} --help --version" ;;
${cases.join('\n')}
  esac
  if [[ "$command" == "" || "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o default -F _registry_sync ${NAME}
`;
}

function fish(commands: readonly AnyCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c ${NAME} -n __fish_use_subcommand -f -a ${command.name} -d ${quoted(command.summary)}`,
    ...shownOptions(command).map(([name, spec]) => {
      const { alias, type, describe } = spec;
      const short = alias === undefined ? '' : ` -s ${alias}`;
      const isAlone = type === 'boolean' || (type === 'string' && spec.bare !== undefined);
      const value = isAlone ? '' : ' -r';
      return `complete -c ${NAME} -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${short}${value} -d ${quoted(describe)}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
