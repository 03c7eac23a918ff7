/** The terminal: log lines and a progress bar that do not write over each other. */
import type { MultiBar, SingleBar } from 'cli-progress';

import type { Io } from './command.ts';

/** What a bar shows. */
export interface Progress {
  readonly done: number;
  readonly text: string;
}

export class Screen {
  readonly #stderr: Io['stderr'];
  #bars: MultiBar | undefined;
  #bar: SingleBar | undefined;

  constructor(stderr: Io['stderr']) {
    this.#stderr = stderr;
  }

  get isTerminal(): boolean {
    return this.#stderr.isTTY === true;
  }

  /** Writes whole lines. */
  write(text: string): void {
    if (this.#bars === undefined) this.#stderr.write(text);
    else this.#bars.log(text);
  }

  /** Shows a bar until `close`. */
  async showProgress(total: number): Promise<void> {
    const { default: progress } = await import('cli-progress');
    this.#bars = new progress.MultiBar({
      stream: this.#stderr,
      format: '{bar} {value}/{total} images  {text}  {duration_formatted}',
      hideCursor: true,
      clearOnComplete: true,
      fps: 5,
      barsize: 24,
    });
    this.#bar = this.#bars.create(total, 0, { text: '' });
  }

  update({ done, text }: Progress): void {
    this.#bar?.update(done, { text });
  }

  close(): void {
    this.#bars?.stop();
    this.#bars = undefined;
    this.#bar = undefined;
  }
}
