/**
 * To be loaded before the program (`node --import`): kills it with SIGKILL at the moment when it makes
 * its Nth change to a file (KILL_AT_FILE_CALL=N), so that every moment between two changes can be
 * tried. A text that is being written then is written by half. With FILE_CALLS_TO=PATH it only
 * counts, and writes the names of the calls to that file at the end.
 */
import fs, { writeFileSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { KILL_AT_FILE_CALL, FILE_CALLS_TO } = process.env;
const killAt = Number(KILL_AT_FILE_CALL ?? 0);
const calls: string[] = [];

type Method = (this: { fd: number }, ...args: unknown[]) => unknown;

/** Counts the calls of a method, and dies in the one whose turn it is. */
function watch(owner: object, name: string): void {
  const methods = owner as Record<string, Method>;
  const original = methods[name] as Method;
  methods[name] = function watched(...args) {
    calls.push(name);
    if (calls.length === killAt) {
      const [text] = args;
      if (name === 'appendFile') {
        writeSync(this.fd, String(text).slice(0, Math.ceil(String(text).length / 2)));
      }
      process.kill(process.pid, 'SIGKILL');
    }
    return original.apply(this, args);
  };
}

const handle = await fs.promises.open('/dev/null', 'r');
const prototype: unknown = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['mkdir', 'readdir', 'open', 'rename', 'rm']) watch(fs.promises, name);
for (const name of ['appendFile', 'sync', 'close']) watch(prototype as object, name);
syncBuiltinESMExports();

if (FILE_CALLS_TO !== undefined) {
  process.once('exit', () => writeFileSync(FILE_CALLS_TO, calls.join('\n')));
}
