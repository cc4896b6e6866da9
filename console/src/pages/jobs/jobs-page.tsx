/** Jobs: start one, watch it, see what failed and why, take its results away. */
import { useState } from 'preact/hooks';
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatAge } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { Link, navigate, useLocation } from '../../router.tsx';
import { useSession } from '../../session.tsx';
import { JobDetails } from './job-details.tsx';
import { NewJobForm } from './new-job-form.tsx';

const LIST_POLL_MS = 5000;

/** The page; `?id=` opens a job. */
export function JobsPage() {
  const { client } = useSession();
  const open = useLocation().searchParams.get('id');
  const jobs = useLoading(() => client.listJobs({ limit: 50 }), [client, open]);
  const [isNew, setIsNew] = useState(false);
  usePolling(jobs.reload, LIST_POLL_MS);
  return (
    <>
      <div class="page-head with-actions">
        <h1>Jobs</h1>
        <p class="quiet">Up to a million images at once. Every item ends with exactly one result.</p>
        <button type="button" class="primary" aria-expanded={isNew} onClick={() => setIsNew(!isNew)}>
          New job
        </button>
      </div>
      {isNew && (
        <NewJobForm
          onCreated={(id) => {
            setIsNew(false);
            navigate(`/jobs?id=${id}`);
          }}
        />
      )}
      {open !== null && <JobDetails key={open} id={open} />}
      {jobs.error !== null && <ProblemNote error={jobs.error} retry={jobs.reload} />}
      {jobs.value === null && jobs.error === null && <p class="quiet">Reading the list of jobs…</p>}
      {jobs.value?.jobs.length === 0 && <p class="empty">No job yet. Start one with a list of URLs or a prefix.</p>}
      {jobs.value !== null && jobs.value.jobs.length > 0 && (
        <ul class="panel list" aria-label="Jobs">
          {jobs.value.jobs.map(({ id, state, task, model, created_at: createdAt }) => (
            <li key={id}>
              <Link href={`/jobs?id=${id}`} class="list-link" current={id === open}>
                <code>{id.slice(0, 12)}…</code>
                <StateBadge state={state} />
                <span>{task}</span>
                <span class="quiet">{model}</span>
                <span class="quiet list-end">{formatAge(createdAt, Date.now())}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
