/** Looks whether a registry holds what it should: the check that no measured tool can do without. */
import { Agent, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

import type { Model } from './model.ts';
import { ACCEPT } from './accept.ts';

const AT_ONCE = 32;

/** @throws {Error} when a tag is missing or stands for something else. */
export async function expectHolds(origin: string, model: Model): Promise<void> {
  const settings = { keepAlive: true, maxSockets: AT_ONCE, rejectUnauthorized: false };
  const isTls = origin.startsWith('https:');
  const agent = isTls ? new TlsAgent(settings) : new Agent(settings);
  const rows = model.repositories.flatMap(({ name, tags }) =>
    [...tags].map(([tag, digest]) => ({ url: `${origin}/v2/${name}/manifests/${tag}`, digest })),
  );
  const wrong: string[] = [];
  const queue = rows.values();
  const worker = async (): Promise<void> => {
    for (const { url, digest } of queue) {
      const found = await digestAt(agent, url);
      if (found !== digest) wrong.push(`${url} is ${found} instead of ${digest}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  agent.destroy();
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 5).join('\n');
  throw new Error(`${origin} holds ${wrong.length} of ${rows.length} tags wrongly:\n${shown}`);
}

async function digestAt(agent: Agent, url: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? tlsRequest : request;
    send(url, { agent, method: 'HEAD', headers: { accept: ACCEPT } }, (response) => {
      response.resume();
      const { statusCode, headers } = response;
      response.once('end', () =>
        resolve(String(headers['docker-content-digest'] ?? `answered with ${statusCode}`)),
      );
    })
      .once('error', reject)
      .end();
  });
}
