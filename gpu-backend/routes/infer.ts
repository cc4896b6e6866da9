/** `POST /v2/models/{model}[/versions/{version}]/infer`. */
import { type Context, Hono } from 'hono';
import { RequestError } from '../../worker/errors.ts';
import { decodeInferRequest, wantsBinary } from '../../worker/oip/infer-request.ts';
import { encodeInferResponse } from '../../worker/oip/infer-response.ts';
import { HEADER_LENGTH_HEADER, messageHeaders, parseHeaderLength } from '../../worker/oip/message.ts';
import type { BackendMetrics } from '../backend-metrics.ts';
import type { ByteBudget } from '../byte-budget.ts';
import { outcomeOf } from '../http-error.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Labels } from '../metrics.ts';
import type { Registry } from '../registry.ts';
import { announcedBytes, readRequestBody } from '../request-body.ts';

/** What the route needs. */
export interface InferRouteOptions {
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly metrics: BackendMetrics;
  readonly maxRequestBytes: number;
  readonly bodies: ByteBudget;
}

/** The status in our log for a client that left; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Inference. A request counts once in the metrics, however it ends. */
export function inferRoutes({ registry, lifecycle, metrics, maxRequestBytes, bodies }: InferRouteOptions): Hono {
  const infer = async (c: Context): Promise<Response> => {
    let labels: Labels = {};
    try {
      const response = await lifecycle.accept(async () => {
        const model = registry.get(c.req.param('model')!, c.req.param('version'));
        labels = model.labels;
        model.assertRoom();
        return await bodies.use(announcedBytes(c.req.raw, maxRequestBytes), async () => {
          const body = await readRequestBody(c.req.raw, maxRequestBytes);
          const request = decodeInferRequest(body, parseHeaderLength(c.req.header(HEADER_LENGTH_HEADER)));
          const answer = await model.infer(request, c.req.raw.signal);
          const message = encodeInferResponse(answer, (output) => wantsBinary(request, output));
          return c.body(message.body, 200, messageHeaders(message));
        });
      });
      metrics.requests.add({ ...labels, outcome: 'ok' });
      return response;
    } catch (error) {
      if (c.req.raw.signal.aborted) {
        metrics.requests.add({ ...labels, outcome: 'cancelled' });
        return new Response(null, { status: CLIENT_CLOSED_REQUEST });
      }
      metrics.requests.add({ ...labels, outcome: outcomeOf(error) });
      throw error;
    }
  };
  const routes = new Hono();
  for (const path of ['/v2/models/:model/infer', '/v2/models/:model/versions/:version/infer']) {
    routes.post(path, infer).all(path, (c) => {
      throw new RequestError('method_not_allowed', `${c.req.method} is not allowed here; POST is`);
    });
  }
  return routes;
}
