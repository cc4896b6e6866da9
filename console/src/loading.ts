/** Something that is asked for when a component is shown: its value, its failure, and a way to ask again. */
import { useCallback, useEffect, useState } from 'preact/hooks';

/** State of one question. */
export interface Loading<T> {
  /** The last value; stays while it is asked for again. Null until there is one. */
  readonly value: T | null;
  readonly error: unknown;
  reload(): void;
}

/** Asks when the component is shown and when `inputs` change; an answer that comes too late is dropped. */
export function useLoading<T>(ask: () => Promise<T>, inputs: readonly unknown[]): Loading<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    ask().then(
      (answer) => {
        if (!current) return;
        setValue(answer);
        setError(null);
      },
      (thrown: unknown) => {
        if (current) setError(thrown);
      },
    );
    return () => {
      current = false;
    };
  }, [...inputs, round]);
  return { value, error, reload: useCallback(() => setRound((last) => last + 1), []) };
}

/** Asks again every `intervalMs` while the page is visible. */
export function usePolling(reload: () => void, intervalMs: number | null): void {
  useEffect(() => {
    if (intervalMs === null) return;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, intervalMs);
    return () => clearInterval(timer);
  }, [reload, intervalMs]);
}
