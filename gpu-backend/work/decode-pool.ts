/** Decoding on threads: each has one image at a time, the rest wait in order. */
import { Worker } from 'node:worker_threads';
import { AppError, type ErrorCode, RuntimeError } from '../../worker/errors.ts';
import type { DecodedPicture, DecodeReply, DecodeRequest } from './decode-protocol.ts';

interface Waiting {
  readonly request: Omit<DecodeRequest, 'id'>;
  resolve(picture: DecodedPicture): void;
  reject(error: Error): void;
}

/** See the file's header. */
export class DecodePool {
  readonly #free: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #underway = new Map<number, Waiting>();
  #nextId = 1;
  #closed = false;

  /** @param onDeath called if a thread dies by itself: the process should end. */
  constructor(threads: number, onDeath: (error: Error) => void) {
    for (let number = 0; number < threads; number++) {
      const worker = new Worker(new URL('./decode-thread.ts', import.meta.url));
      worker.on('message', (reply: DecodeReply) => this.#answer(worker, reply));
      worker.on('error', (error) => onDeath(error instanceof Error ? error : new Error(String(error))));
      worker.on('exit', (code) => {
        if (!this.#closed) onDeath(new Error(`a decoding thread ended with code ${code}`));
      });
      this.#all.push(worker);
      this.#free.push(worker);
    }
  }

  /**
   * Makes an image ready for the network. Its bytes are transferred, and not usable afterwards.
   * @throws AppError with the codes of `preprocessToRgb8`.
   */
  decode(request: Omit<DecodeRequest, 'id'>): Promise<DecodedPicture> {
    if (this.#closed) return Promise.reject(new RuntimeError('not_ready', 'the decoding threads are closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#pump();
    });
  }

  /** Ends the threads; what waits is not answered. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }

  #pump(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const worker = this.#free.pop()!;
      const next = this.#waiting.shift()!;
      const id = this.#nextId++;
      this.#underway.set(id, next);
      worker.postMessage({ id, ...next.request }, [next.request.bytes.buffer]);
    }
  }

  #answer(worker: Worker, reply: DecodeReply): void {
    const asked = this.#underway.get(reply.id);
    this.#underway.delete(reply.id);
    this.#free.push(worker);
    if ('picture' in reply) asked?.resolve(reply.picture);
    else asked?.reject(new AppError(reply.code as ErrorCode, reply.message));
    this.#pump();
  }
}
