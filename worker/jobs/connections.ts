/**
 * How the consumer of bulk jobs shares its connections. The platform lets one invocation wait for six answers at a time
 * (fetch, R2, queues; Durable Objects do not count), and holds the seventh back, timeouts running.
 * https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections
 */

/** Connections of one invocation. */
export const PLATFORM_CONNECTIONS = 6;

/** Of which to the GPU backend. */
export const BACKEND_CONNECTIONS = 3;

/** Of which for images: R2 objects and URLs. */
export const IMAGE_CONNECTIONS = PLATFORM_CONNECTIONS - BACKEND_CONNECTIONS;
