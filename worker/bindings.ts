/** Bindings that a deployment's settings name: found by name and checked to be what is expected. */
import { ConfigurationError } from './errors.ts';

/** A worker's bindings and variables by name. */
export type Bindings = Readonly<Record<string, unknown>>;

/** The bucket of a binding. @throws ConfigurationError where there is none. */
export function bucketBinding(bindings: Bindings, name: string): R2Bucket {
  const value = bindings[name];
  if (isBucket(value)) return value;
  throw new ConfigurationError(`the worker has no R2 binding "${name}"`, { details: { binding: name } });
}

/** The service of a binding. @throws ConfigurationError where there is none. */
export function serviceBinding(bindings: Bindings, name: string): Fetcher {
  const value = bindings[name];
  if (isFetcher(value)) return value;
  throw new ConfigurationError(`the worker has no service binding "${name}"`, { details: { binding: name } });
}

function isBucket(value: unknown): value is R2Bucket {
  return hasMethod(value, 'head') && hasMethod(value, 'createMultipartUpload');
}

function isFetcher(value: unknown): value is Fetcher {
  return hasMethod(value, 'fetch') && !hasMethod(value, 'idFromName');
}

function hasMethod(value: unknown, method: string): boolean {
  return (
    typeof value === 'object' && value !== null && method in value && typeof Reflect.get(value, method) === 'function'
  );
}
