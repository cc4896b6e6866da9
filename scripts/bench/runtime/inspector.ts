/** JavaScript memory of a running isolate, through wrangler's inspector (Chrome DevTools Protocol, domain Runtime). */

/** An isolate that is this long without a moment for the inspector hangs. */
const REPLY_TIMEOUT_MS = 30_000;

/** Bytes that the isolate's JavaScript holds. */
export interface JsMemory {
  /** V8's heap, objects that nothing refers to any more included. */
  readonly heapBytes: number;
  /** Array buffers and external strings; shared WASM memory is not in it. */
  readonly backingBytes: number;
}

/** A connection to one isolate. */
export interface Inspector {
  /**
   * Memory now; answered as soon as the isolate has a moment between its synchronous pieces of work.
   * @throws Error after 30 s, or when the connection closes; so does `collectGarbage`.
   */
  memory(): Promise<JsMemory>;
  /** A full garbage collection. */
  collectGarbage(): Promise<void>;
  close(): void;
}

interface Reply {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

interface Pending {
  resolve(result: Readonly<Record<string, unknown>>): void;
  reject(error: Error): void;
}

/** Connects to the worker that listens behind `port`. @throws Error where there is none. */
export async function connectInspector(host: string, port: number): Promise<Inspector> {
  const targets = (await (await fetch(`http://${host}:${port}/json`)).json()) as { webSocketDebuggerUrl?: string }[];
  const address = targets.find((target) => target.webSocketDebuggerUrl !== undefined)?.webSocketDebuggerUrl;
  if (address === undefined) throw new Error(`the inspector on port ${port} lists no worker`);
  // wrangler lets pages of this machine in, by their origin. Node takes headers as the second argument; the types do not.
  const init = { headers: { origin: 'http://localhost' } };
  const socket: WebSocket = Reflect.construct(WebSocket, [address, init]);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error(`no connection to the inspector at ${address}`)), {
      once: true,
    });
  });
  const pending = new Map<number, Pending>();
  let lastId = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as Reply;
    const call = id === undefined ? undefined : pending.get(id);
    if (id === undefined || call === undefined) return;
    pending.delete(id);
    if (error === undefined) call.resolve(result ?? {});
    else call.reject(new Error(error.message));
  });
  socket.addEventListener('close', () => {
    for (const call of pending.values()) call.reject(new Error('the inspector closed the connection'));
    pending.clear();
  });
  const send = (method: string): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      const timer = setTimeout(() => {
        pending.delete(id);
        reject(new Error(`the inspector did not answer ${method} in ${REPLY_TIMEOUT_MS / 1000} s`));
      }, REPLY_TIMEOUT_MS);
      pending.set(id, {
        resolve(result) {
          clearTimeout(timer);
          resolve(result);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    async memory() {
      const usage = await send('Runtime.getHeapUsage');
      const [used, embedder, backing] = ['usedSize', 'embedderHeapUsedSize', 'backingStorageSize'].map((name) =>
        Number(usage[name] ?? 0),
      );
      return { heapBytes: used! + embedder!, backingBytes: backing! };
    },
    async collectGarbage() {
      // The inspector keeps the last thousand log lines, which a deployment does not.
      await send('Runtime.discardConsoleEntries');
      await send('HeapProfiler.collectGarbage');
    },
    close: () => socket.close(),
  };
}
