/** Health: what the isolate that answers has seen, drawn while it goes on. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ProblemNote } from '../../components/problem.tsx';
import { ScrollFrame } from '../../components/scroll-frame.tsx';
import { Sparkline } from '../../components/sparkline.tsx';
import { formatBytes, formatCount, formatMs, formatPercent } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { codesOf, gaugeOf, parseExposition, quantileOf, routesOf, type Sample, sumOf } from './exposition.ts';

const POLL_MS = 2000;

/** Two minutes of points. */
const MAX_POINTS = 60;

interface Point {
  readonly atMs: number;
  readonly requests: number;
  readonly usedBytes: number;
}

/** The page. */
export function HealthPage() {
  const { client } = useSession();
  const metrics = useLoading(async () => parseExposition(await client.getMetrics()), [client]);
  const [points, setPoints] = useState<readonly Point[]>([]);
  usePolling(metrics.reload, POLL_MS);
  const samples = metrics.value;
  useEffect(() => {
    if (samples === null) return;
    const point = {
      atMs: performance.now(),
      requests: sumOf(samples, 'bit_edge_requests_total'),
      usedBytes: gaugeOf(samples, 'bit_edge_memory_used_bytes') ?? 0,
    };
    setPoints((old) => {
      // Another isolate answered, or this one began anew: its counters say nothing about the last ones.
      const isOther = point.requests < (old.at(-1)?.requests ?? 0);
      return [...(isOther ? [] : old), point].slice(-MAX_POINTS);
    });
  }, [samples]);
  return (
    <>
      <div class="page-head">
        <h1>Health</h1>
        <p class="quiet">
          What the isolate that answers has seen since it began. Other isolates have figures of their own.
        </p>
      </div>
      {metrics.error !== null && <ProblemNote error={metrics.error} retry={metrics.reload} />}
      {samples === null && metrics.error === null && <p class="quiet">Reading the metrics…</p>}
      {samples !== null && <Figures samples={samples} points={points} />}
    </>
  );
}

function Figures({ samples, points }: { readonly samples: readonly Sample[]; readonly points: readonly Point[] }) {
  const used = gaugeOf(samples, 'bit_edge_memory_used_bytes') ?? 0;
  const limit = gaugeOf(samples, 'bit_edge_memory_limit_bytes') ?? 1;
  const heap = gaugeOf(samples, 'bit_edge_wasm_heap_bytes') ?? 0;
  const requests = sumOf(samples, 'bit_edge_requests_total');
  const rates = points.slice(1).map((point, index) => {
    const before = points[index]!;
    return ((point.requests - before.requests) / (point.atMs - before.atMs)) * 1000;
  });
  const isAnswer = ({ labels }: Sample): boolean => labels.route?.startsWith('/v1/') === true;
  const median = quantileOf(samples, 'bit_edge_request_seconds', 0.5, isAnswer);
  const p95 = quantileOf(samples, 'bit_edge_request_seconds', 0.95, isAnswer);
  const failed = sumOf(samples, 'bit_edge_requests_total', ({ labels }) => Number(labels.status) >= 500);
  return (
    <>
      <div class="tiles">
        <Tile name="Requests" value={formatCount(requests)} note={`${(rates.at(-1) ?? 0).toFixed(1)} a second now`}>
          <Sparkline values={rates} label="Requests a second, last two minutes" />
        </Tile>
        <Tile name="Memory" value={formatBytes(used)} note={`${formatPercent(used / limit)} of ${formatBytes(limit)}`}>
          <Sparkline values={points.map(({ usedBytes }) => usedBytes)} top={limit} label="Memory, last two minutes" />
        </Tile>
        <Tile
          name="Latency of /v1"
          value={median === null ? 'none yet' : formatMs(median * 1000)}
          note={p95 === null ? 'median' : `median; 95 % under ${formatMs(p95 * 1000)}`}
        />
        <Tile
          name="Failed"
          value={formatCount(failed)}
          note={`${formatPercent(requests === 0 ? 0 : failed / requests)} answered with 5xx`}
        />
        <Tile
          name="Models loaded"
          value={formatCount(gaugeOf(samples, 'bit_edge_models_loaded') ?? 0)}
          note={`${formatBytes(heap)} WASM heap`}
        />
        <Tile
          name="Waiting"
          value={formatCount(gaugeOf(samples, 'bit_edge_waiting_requests') ?? 0)}
          note="requests wait for memory"
        />
      </div>
      <Loads samples={samples} />
      <Routes samples={samples} />
      <Codes samples={samples} />
    </>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly children?: ComponentChildren;
}

function Tile({ name, value, note, children }: TileProps) {
  return (
    <section class="card tile" aria-label={name}>
      <h2>{name}</h2>
      <p class="tile-value">{value}</p>
      <p class="quiet">{note}</p>
      {children}
    </section>
  );
}

/** Cold starts: the loads of models and what they took. */
function Loads({ samples }: { readonly samples: readonly Sample[] }) {
  const loads = samples.filter(({ name }) => name === 'bit_edge_model_loads_total');
  if (loads.length === 0) return null;
  const mean = (stage: string): string => {
    const of = ({ labels }: Sample): boolean => labels.stage === stage;
    const count = sumOf(samples, 'bit_edge_model_load_seconds_count', of);
    return count === 0 ? '' : formatMs((sumOf(samples, 'bit_edge_model_load_seconds_sum', of) / count) * 1000);
  };
  return (
    <section class="panel" aria-labelledby="loads-title">
      <h2 id="loads-title">Cold starts</h2>
      <p class="quiet">
        On average: manifest {mean('manifest')}, files {mean('files')}, session {mean('session')}.
      </p>
      <ScrollFrame label="Model loads">
        <table>
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col" class="number">
                Loads
              </th>
            </tr>
          </thead>
          <tbody>
            {loads.map(({ labels, value }) => (
              <tr key={labels.model}>
                <td>
                  <code>{labels.model}</code>
                </td>
                <td class="number">{formatCount(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
    </section>
  );
}

function Routes({ samples }: { readonly samples: readonly Sample[] }) {
  const milliseconds = (seconds: number | null): string => (seconds === null ? '' : formatMs(seconds * 1000));
  return (
    <section class="panel" aria-labelledby="routes-title">
      <h2 id="routes-title">Routes</h2>
      <ScrollFrame label="Routes">
        <table>
          <thead>
            <tr>
              <th scope="col">Route</th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col" class="number">
                4xx, 5xx
              </th>
              <th scope="col" class="number">
                Median
              </th>
              <th scope="col" class="number">
                95 %
              </th>
            </tr>
          </thead>
          <tbody>
            {routesOf(samples).map(({ route, requests, failed, median, p95 }) => (
              <tr key={route}>
                <td>
                  <code>{route}</code>
                </td>
                <td class="number">{formatCount(requests)}</td>
                <td class="number">{formatCount(failed)}</td>
                <td class="number">{milliseconds(median)}</td>
                <td class="number">{milliseconds(p95)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
    </section>
  );
}

function Codes({ samples }: { readonly samples: readonly Sample[] }) {
  const codes = codesOf(samples);
  return (
    <section class="panel" aria-labelledby="codes-title">
      <h2 id="codes-title">Errors by code</h2>
      {codes.length === 0 ? (
        <p class="quiet">None so far.</p>
      ) : (
        <ScrollFrame label="Errors by code">
          <table>
            <thead>
              <tr>
                <th scope="col">Code</th>
                <th scope="col" class="number">
                  Answers
                </th>
              </tr>
            </thead>
            <tbody>
              {codes.map(({ code, count }) => (
                <tr key={code}>
                  <td>
                    <a href={`/docs#${code}`}>
                      <code>{code}</code>
                    </a>
                  </td>
                  <td class="number">{formatCount(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollFrame>
      )}
    </section>
  );
}
