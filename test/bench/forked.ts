/** A helper in a process of its own: forked, asked, answered; it ends with this process at the latest. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Forked<Question, Answer> extends AsyncDisposable {
  /** One at a time. */
  ask(question: Question): Promise<Answer>;
}

/** Starts a module of this folder; `first` is its first message, and what that is answered. */
export async function forkHelper<Question extends object, Answer>(
  module: string,
  args: readonly string[],
): Promise<Forked<Question, Answer>> {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(path, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'exit').then(([code]) => {
    process.off('exit', kill);
    return code as number | null;
  });
  return {
    async ask(question) {
      const answered = once(child, 'message');
      child.send(question);
      const gone = ended.then((code) => {
        throw new Error(`${module} ended with ${code}`);
      });
      const [answer] = (await Promise.race([answered, gone])) as [Answer];
      return answer;
    },
    async [Symbol.asyncDispose]() {
      kill();
      await ended;
    },
  };
}

/** The helper's side: answers each message, and ends when nobody can ask any more. */
export function serveQuestions<Question, Answer>(
  answer: (question: Question) => Answer | Promise<Answer>,
): void {
  process.on('message', (question: Question) => {
    Promise.resolve(answer(question)).then(
      (answered) => process.send?.(answered),
      (error: unknown) => {
        process.exitCode = 1;
        process.disconnect();
        throw error;
      },
    );
  });
  process.once('disconnect', () => process.exit());
}

/** Seconds of CPU, user and system, of this process since then. */
export function cpuSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}
