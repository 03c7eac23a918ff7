/** The way to registries as cli/runtime.ts makes it, with a fake clock, and connections that can be refused. */
import { Agent, type Dispatcher } from 'undici';

import { silentLog } from '../../src/base/log.ts';
import { HostPause } from '../../src/http/host-pause.ts';
import { withRetry, type RetryPolicy } from '../../src/http/retry.ts';
import { compose, undiciSend, type Send } from '../../src/http/send.ts';
import { Traffic } from '../../src/http/traffic.ts';
import { RegistryClient } from '../../src/registry/client.ts';
import { password } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FaultPlan, type Fault } from '../support/registry/faults.ts';

/** A request that was sent, or would have been had the connection not been refused. */
export interface Sent {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | undefined;
}

export interface NetOptions {
  /** Those of `connections` unless given. */
  readonly dispatcher?: Dispatcher;
  /** How often a request is repeated; 2 unless given. */
  readonly times?: number;
  readonly clock?: FakeClock;
  /** Told of each request once it is answered. */
  readonly onAnswer?: (sent: Sent) => void;
}

export interface Net {
  readonly clock: FakeClock;
  readonly sent: Sent[];
  /** Requests to this host that match meet no server; the effects of the faults don't count. */
  refuse(host: string, faults: readonly Fault[]): void;
  client(registry: string): RegistryClient;
}

export const USERS = { bot: { password: 'secret' } };
const NOBODY = 'http://127.0.0.1:1'; // no program listens on this port

/** Connections as in http/dispatcher.ts, but with timeouts that a test can wait for. Milliseconds. */
export function connections(answerMs: number, idleMs = answerMs): Agent {
  return new Agent({ connections: 64, headersTimeout: answerMs, bodyTimeout: idleMs });
}

const shared = connections(20_000);

export function createNet(options: NetOptions = {}): Net {
  const { dispatcher = shared, times = 2, clock = new FakeClock(), onAnswer } = options;
  const retry: RetryPolicy = {
    times,
    firstDelayMs: 100,
    maxDelayMs: 1000,
    maxRetryAfterMs: 60_000,
  };
  const log = silentLog();
  const sent: Sent[] = [];
  const refusals = new Map<string, FaultPlan>();
  const wires = new Map<string, Send>();
  const plain = undiciSend(dispatcher);
  const noting: Send = async (request) => {
    const { method, url } = request;
    const one = { method, url, authorization: request.headers?.['authorization'] };
    sent.push(one);
    const path = url.pathname + url.search;
    const isRefused = refusals.get(url.host)?.next(method, path) !== undefined;
    const response = await plain(isRefused ? { ...request, url: new URL(path, NOBODY) } : request);
    onAnswer?.(one);
    return response;
  };
  const wire: Send = (request) => {
    const { host } = request.url;
    let send = wires.get(host);
    if (send === undefined) {
      const pause = new HostPause(clock);
      send = compose(noting, withRetry({ policy: retry, clock, pause, log }));
      wires.set(host, send);
    }
    return send(request);
  };
  return {
    clock,
    sent,
    refuse(host, faults) {
      const plan = new FaultPlan();
      plan.set(faults);
      refusals.set(host, plan);
    },
    client: (registry) =>
      new RegistryClient({
        registry,
        wire,
        allowHttp: true,
        credentials: async () => password('bot', USERS.bot.password),
        retry,
        traffic: new Traffic(),
        clock,
        log,
      }),
  };
}
