/**
 * A worker for the local demo. `PUT /uploads/<key>` stores an object and puts the notification that R2 would send on the
 * bucket's queue, since miniflare sends none; `GET /uploads/<key>` reads it; all else is bit-edge's.
 */

/** The little of workerd's types that is used here; the file is checked together with Node's scripts. */
interface Bindings {
  readonly UPLOADS: {
    put(key: string, value: ArrayBuffer, options: object): Promise<{ size: number; etag: string }>;
    get(key: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer>; customMetadata?: Record<string, string> } | null>;
  };
  readonly R2_EVENTS: { send(message: object): Promise<unknown> };
  readonly BIT_EDGE: { fetch(request: Request): Promise<Response> };
}

const PREFIX = '/uploads/';

export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith(PREFIX)) return env.BIT_EDGE.fetch(request);
    const key = decodeURIComponent(pathname.slice(PREFIX.length));
    if (request.method !== 'PUT') {
      const object = await env.UPLOADS.get(key);
      if (object === null) return new Response('not found\n', { status: 404 });
      return new Response(await object.arrayBuffer(), {
        headers: { 'x-metadata': JSON.stringify(object.customMetadata) },
      });
    }
    const contentType = request.headers.get('content-type') ?? 'application/octet-stream';
    const object = await env.UPLOADS.put(key, await request.arrayBuffer(), { httpMetadata: { contentType } });
    const notification = {
      account: '00000000000000000000000000000000',
      action: 'PutObject',
      bucket: 'bit-edge-uploads',
      object: { key, size: object.size, eTag: object.etag },
      eventTime: new Date().toISOString(),
    };
    await env.R2_EVENTS.send(notification);
    return Response.json(notification, { status: 201 });
  },
};
