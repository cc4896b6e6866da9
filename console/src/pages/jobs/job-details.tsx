/** One job: progress while it runs, then what came of it. */
import { useState } from 'preact/hooks';
import type { BitEdgeClient, Job } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { downloadBlob } from '../../download.ts';
import { formatCount, formatDuration, formatPercent, splitLabel } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { groupFailures, type ResultLine } from './inputs.ts';

const POLL_MS = 1000;

/** Results that are read to be shown; all of them are in the download. */
const SHOWN_LINES = 1000;
const GALLERY_LINES = 24;

/** The panel. */
export function JobDetails({ id }: { readonly id: string }) {
  const { client } = useSession();
  const job = useLoading(() => client.getJob(id), [client, id]);
  const [error, setError] = useState<unknown>(null);
  const over = job.value !== null && job.value.finished_at !== null;
  usePolling(job.reload, over ? null : POLL_MS);
  const ended = job.value === null ? 0 : job.value.counts.succeeded + job.value.counts.failed;
  const results = useLoading<readonly ResultLine[]>(
    async () => (ended === 0 ? [] : firstResults(client, id)),
    [client, id, ended],
  );
  const lines = results.value ?? [];

  const run = (change: () => Promise<unknown>): void => {
    setError(null);
    change().then(job.reload, setError);
  };
  if (job.error !== null) return <ProblemNote error={job.error} retry={job.reload} />;
  if (job.value === null) return <p class="quiet">Reading the job…</p>;
  const { state, task, model, counts } = job.value;
  return (
    <section class="panel" aria-label="Job">
      <header class="row">
        <h2>
          <code>{id}</code>
        </h2>
        <StateBadge state={state} />
        <span class="quiet">
          {task} with {model.name}@{model.version}
        </span>
      </header>
      <Progress job={job.value} />
      <div class="row">
        {!over && (
          <button type="button" class="danger" onClick={() => run(() => client.cancelJob(id))}>
            Cancel
          </button>
        )}
        {state === 'completed' && counts.failed > 0 && (
          <button type="button" onClick={() => run(() => client.retryJob(id))}>
            Retry {formatCount(counts.failed)} failed
          </button>
        )}
        {ended > 0 && (
          <button type="button" onClick={() => run(() => download(client, id))}>
            Download results
          </button>
        )}
      </div>
      {error !== null && <ProblemNote error={error} />}
      {results.error !== null && <ProblemNote error={results.error} retry={results.reload} />}
      <Failures lines={lines} />
      <Gallery lines={lines} />
    </section>
  );
}

function Progress({ job }: { readonly job: Job }) {
  const { counts, total_is_final: isFinal, items_per_s: rate, eta_s: eta, finished_at: finishedAt } = job;
  const total = Math.max(1, counts.total);
  const done = counts.total - counts.pending;
  return (
    <div class="progress">
      <div
        class="progress-bar"
        role="progressbar"
        aria-label="Items that have ended"
        aria-valuemin={0}
        aria-valuemax={counts.total}
        aria-valuenow={done}
      >
        <span class="progress-good" style={{ inlineSize: `${(counts.succeeded / total) * 100}%` }} />
        <span class="progress-bad" style={{ inlineSize: `${(counts.failed / total) * 100}%` }} />
        <span class="progress-off" style={{ inlineSize: `${(counts.cancelled / total) * 100}%` }} />
      </div>
      <p>
        <strong>{formatPercent(done / total)}</strong> {formatCount(counts.succeeded)} succeeded,{' '}
        {formatCount(counts.failed)} failed
        {counts.cancelled > 0 && `, ${formatCount(counts.cancelled)} cancelled`} of {formatCount(counts.total)}
        {!isFinal && ' so far'}
        <span class="quiet">
          {finishedAt === null && rate !== null && ` · ${rate} images a second`}
          {finishedAt === null && eta !== null && ` · ${formatDuration(eta)} left`}
        </span>
      </p>
    </div>
  );
}

function Failures({ lines }: { readonly lines: readonly ResultLine[] }) {
  const groups = groupFailures(lines);
  if (groups.length === 0) return null;
  return (
    <section aria-label="Failures">
      <h3>Failures by code</h3>
      <ul class="failures">
        {groups.map(({ code, count, examples }) => (
          <li key={code}>
            <p>
              <code>{code}</code> <span class="badge bad">{formatCount(count)}</span>
            </p>
            <ul>
              {examples.map(({ index, message }) => (
                <li key={index} class="quiet">
                  Item {index}: {message}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Gallery({ lines }: { readonly lines: readonly ResultLine[] }) {
  const shown = lines.filter(({ status }) => status === 'succeeded').slice(0, GALLERY_LINES);
  if (shown.length === 0) return null;
  return (
    <section aria-label="Results">
      <h3>First results</h3>
      <ul class="gallery">
        {shown.map(({ index, id, predictions, decision, dimensions }) => {
          const best = predictions?.[0];
          return (
            <li key={index}>
              <small>{id ?? `Item ${index}`}</small>
              {best !== undefined && (
                <p>
                  {splitLabel(best.label).first} <span class="quiet">{formatPercent(best.score)}</span>
                </p>
              )}
              {decision !== undefined && <StateBadge state={decision.verdict} />}
              {dimensions !== undefined && <p>{dimensions} dimensions</p>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

async function firstResults(client: BitEdgeClient, id: string): Promise<readonly ResultLine[]> {
  const { lines } = await client.getJobResults(id, { limit: SHOWN_LINES });
  return lines.map((line) => JSON.parse(line) as ResultLine);
}

/** All pages as one file. */
async function download(client: BitEdgeClient, id: string): Promise<void> {
  const parts: string[] = [];
  let cursor: string | null = '0-0';
  while (cursor !== null) {
    const page: Awaited<ReturnType<BitEdgeClient['getJobResults']>> = await client.getJobResults(id, { cursor });
    parts.push(...page.lines.map((line) => `${line}\n`));
    // What a running job still gets is not waited for.
    if (page.lines.length === 0) break;
    cursor = page.next;
  }
  downloadBlob(new Blob(parts, { type: 'application/x-ndjson' }), `${id}.ndjson`);
}
