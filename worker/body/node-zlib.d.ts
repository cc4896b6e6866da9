/** The part of `node:zlib` that workerd has under `nodejs_compat`, which the compatibility date turns on, and that is used here. */
declare module 'node:zlib' {
  /** @throws RangeError beyond `maxOutputLength` bytes; in Node it has the code `ERR_BUFFER_TOO_LARGE`. */
  type Inflate = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;
  export function gunzipSync(...parameters: Parameters<Inflate>): Uint8Array;
  export function inflateSync(...parameters: Parameters<Inflate>): Uint8Array;
  export function inflateRawSync(...parameters: Parameters<Inflate>): Uint8Array;
  export function brotliDecompressSync(...parameters: Parameters<Inflate>): Uint8Array;
}
