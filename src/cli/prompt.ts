/** Asks people on a terminal. What is piped in instead can answer all but what is secret. */
import { onAbort } from '../base/on-abort.ts';
import { cancelled, RegistrySyncError } from '../base/errors.ts';
import type { Input, Io } from './command.ts';

const [INTERRUPT, END_OF_INPUT] = ['\u0003', '\u0004'];
const BACKSPACES = new Set(['\u007f', '\b']);

export class Prompt {
  readonly #io: Pick<Io, 'stdin' | 'stdout' | 'shutdown'>;
  readonly #input: Input | undefined;
  /** What came after the last answer. */
  #pending = '';

  constructor(io: Pick<Io, 'stdin' | 'stdout' | 'shutdown'>) {
    this.#io = io;
    this.#input = io.stdin?.();
  }

  get isTerminal(): boolean {
    return this.#input?.isTTY === true;
  }

  /** All that is piped in, without the newline at its end. */
  async all(): Promise<string> {
    for (let more = await this.#more(); more !== undefined; more = await this.#more()) {
      this.#pending += more;
    }
    return this.#pending.replace(/\r?\n$/, '');
  }

  /** The next line; `undefined`: there is none. */
  async line(question: string): Promise<string | undefined> {
    this.#io.stdout.write(question);
    while (!this.#pending.includes('\n')) {
      const more = await this.#more();
      if (more === undefined) return undefined;
      this.#pending += more;
    }
    const end = this.#pending.indexOf('\n');
    const line = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end + 1);
    return line.replace(/\r$/, '');
  }

  /**
   * What is typed until the end of the line, without showing it.
   *
   * @throws {RegistrySyncError} `USAGE` when there is no terminal to type on.
   */
  async secret(question: string, instead: string): Promise<string> {
    const input = this.#input;
    if (input?.isTTY !== true || input.setRawMode === undefined) {
      throw new RegistrySyncError('USAGE', `there is no terminal to ask on: ${instead}`);
    }
    this.#io.stdout.write(question);
    input.setRawMode(true);
    try {
      return await this.#typed();
    } finally {
      input.setRawMode(false);
      this.#io.stdout.write('\n');
    }
  }

  async #typed(): Promise<string> {
    let typed: string[] = [];
    for (;;) {
      for (const [at, character] of [...this.#pending].entries()) {
        if (character === INTERRUPT) throw new RegistrySyncError('CANCELLED', 'stopped');
        if (character === '\r' || character === '\n' || character === END_OF_INPUT) {
          this.#pending = [...this.#pending].slice(at + 1).join('');
          return typed.join('');
        }
        typed = BACKSPACES.has(character) ? typed.slice(0, -1) : [...typed, character];
      }
      this.#pending = (await this.#more()) ?? END_OF_INPUT;
    }
  }

  #more(): Promise<string | undefined> {
    const input = this.#input;
    const { signal } = this.#io.shutdown;
    if (input === undefined) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        input.off('data', onData).off('end', onEnd).off('error', onError).pause();
        release();
        done();
      };
      const onData = (data: Buffer | string): void => settle(() => resolve(data.toString()));
      const onEnd = (): void => settle(() => resolve(undefined));
      const onError = (error: Error): void => settle(() => reject(error));
      const release = onAbort(signal, () => settle(() => reject(cancelled(signal))));
      if ('readableEnded' in input && input.readableEnded === true) return onEnd();
      input
        .setEncoding('utf8')
        .on('data', onData)
        .once('end', onEnd)
        .once('error', onError)
        .resume();
    });
  }
}
