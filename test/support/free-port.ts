/** A port of loopback that nobody listens at, for servers that can't be asked which one they took. */
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the ports that the kernel gives to outgoing connections, so that none takes ours meanwhile.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    probe.close();
    if (isFree) return port;
  }
}
