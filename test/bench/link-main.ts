/** The process of the links, one to the source and one to the target. */
import { cpuSince, serveQuestions } from './forked.ts';
import { startLink, type Link, type LinkShape } from './link.ts';
import { statsOf, type Stats } from './tally.ts';

export interface LinkQuestion {
  /** Counts begin anew, and new connections are of this shape. */
  readonly shape?: LinkShape;
  /** Ports of the registries. */
  readonly source?: number;
  readonly target?: number;
}

export interface LinkAnswer {
  readonly source: { readonly host: string; readonly stats: Stats };
  readonly target: { readonly host: string; readonly stats: Stats };
  /** Seconds of CPU of this process since counts began. */
  readonly cpuS: number;
}

const links = { source: await startLink(), target: await startLink() };

let began = process.cpuUsage();
serveQuestions(({ shape, ...ports }: LinkQuestion): LinkAnswer => {
  for (const side of ['source', 'target'] as const) {
    links[side].upstreamPort = ports[side] ?? links[side].upstreamPort;
  }
  const cpuS = cpuSince(began);
  const answer = { source: seen(links.source), target: seen(links.target), cpuS };
  if (shape !== undefined) {
    for (const link of Object.values(links)) link.reset(shape);
    began = process.cpuUsage();
  }
  return answer;
});

function seen({ host, tally }: Link): LinkAnswer['source'] {
  return { host, stats: statsOf(tally) };
}
