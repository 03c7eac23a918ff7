/**
 * A crawl as a script would do it: one connection, one request after another. Use:
 * sequential-crawl.js HOST DIR, over plain HTTP; writes DIR/tags.csv.
 */
import { writeFile } from 'node:fs/promises';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';

import { ACCEPT } from './accept.ts';

const [host = '', dir = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function ask(method: string, path: string): Promise<IncomingMessage & { body: string }> {
  return await new Promise((resolve, reject) => {
    const url = `http://${host}${path}`;
    const asked = request(url, { method, agent, headers: { accept: ACCEPT } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.once('end', () => resolve(Object.assign(response, { body })));
    });
    asked.once('error', reject).end();
  });
}

/** All pages of a list. */
async function namesOf(path: string, key: 'repositories' | 'tags'): Promise<string[]> {
  const names: string[] = [];
  for (let page: string | undefined = path; page !== undefined;) {
    const { headers, body }: { headers: IncomingMessage['headers']; body: string } = await ask(
      'GET',
      page,
    );
    const list = JSON.parse(body) as Partial<Record<typeof key, string[]>>;
    names.push(...(list[key] ?? []));
    page = /<([^>]*)>/.exec(String(headers['link'] ?? ''))?.[1];
  }
  return names;
}

const rows = ['namespace,repo_name,name,created_on,last_updated_on,digest\r\n'];
for (const name of await namesOf('/v2/_catalog?n=1000', 'repositories')) {
  const slash = name.indexOf('/');
  for (const tag of await namesOf(`/v2/${name}/tags/list?n=1000`, 'tags')) {
    const { headers } = await ask('HEAD', `/v2/${name}/manifests/${tag}`);
    const digest = String(headers['docker-content-digest']);
    rows.push(`${name.slice(0, slash)},${name.slice(slash + 1)},${tag},,,${digest}\r\n`);
  }
}
agent.destroy();
await writeFile(join(dir, 'tags.csv'), rows.join(''));
