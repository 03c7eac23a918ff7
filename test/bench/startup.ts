/** How long it takes until the program says something, against Node itself doing nothing. */
import { measure } from './measure.ts';
import { MAIN } from './peers.ts';
import { median, tableOf } from './table.ts';

const COMMANDS = [
  { name: '`node -e 0`', args: ['-e', '0'] },
  { name: '`registry-sync --version`', args: [MAIN, '--version'] },
  { name: '`registry-sync sync --help`', args: [MAIN, 'sync', '--help'] },
] as const;

/** In alternation; the ratio is the median of those of the rounds. */
export async function startupTable(rounds: number): Promise<string> {
  const times = COMMANDS.map(() => [] as { wallS: number; cpuS: number; peakMiB: number }[]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, { args, name }] of COMMANDS.entries()) {
      const made = await measure([process.execPath, ...args]);
      if (made.code !== 0) throw new Error(`${name}: exit code ${made.code}\n${made.stderr}`);
      times[at]?.push(made);
    }
  }
  const [base = []] = times;
  const rows = COMMANDS.map(({ name }, at) => {
    const runs = times[at] ?? [];
    const ratios = runs.map(({ wallS }, round) => wallS / (base[round]?.wallS ?? Number.NaN));
    return [
      name,
      (median(runs.map(({ wallS }) => wallS)) * 1000).toFixed(0),
      (median(runs.map(({ cpuS }) => cpuS)) * 1000).toFixed(0),
      at === 0 ? '' : `${median(ratios).toFixed(2)} × as long`,
    ];
  });
  return tableOf([['command', 'wall, ms', 'CPU, ms', 'takes'], ...rows]);
}
