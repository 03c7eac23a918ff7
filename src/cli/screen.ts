/** The terminal: log lines and a progress bar that do not write over each other. */
import type { MultiBar, SingleBar } from 'cli-progress';

import type { Io } from './command.ts';

/** What a bar shows. */
export interface Progress {
  readonly done: number;
  readonly text: string;
}

const FRAME_MS = 200;

export class Screen {
  readonly #stderr: Io['stderr'];
  #bars: MultiBar | undefined;
  #bar: SingleBar | undefined;
  #counting: NodeJS.Timeout | undefined;

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
    await this.#show('{bar} {value}/{total} images  {text}  {duration_formatted}', total);
  }

  /** Shows what was counted so far until `close`, where nobody knows how much there will be. */
  async showCounts(textOf: () => string): Promise<void> {
    await this.#show('{text}  {duration_formatted}', 0);
    this.#counting = setInterval(() => this.update({ done: 0, text: textOf() }), FRAME_MS);
  }

  async #show(format: string, total: number): Promise<void> {
    const { default: progress } = await import('cli-progress');
    this.#bars = new progress.MultiBar({
      stream: this.#stderr,
      format,
      hideCursor: true,
      clearOnComplete: true,
      fps: 1000 / FRAME_MS,
      barsize: 24,
    });
    this.#bar = this.#bars.create(total, 0, { text: '' });
  }

  update({ done, text }: Progress): void {
    this.#bar?.update(done, { text });
  }

  close(): void {
    clearInterval(this.#counting);
    this.#bars?.stop();
    this.#bars = undefined;
    this.#bar = undefined;
  }
}
