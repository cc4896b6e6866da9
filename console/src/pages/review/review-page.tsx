/** Review: one image after another that a policy left open, answered with a key press. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { BitEdgeClient, Review } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { dataUriOf } from '../../data-uri.ts';
import { downloadBlob } from '../../download.ts';
import { formatAge, formatCount, formatDuration } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { Explanation } from './explanation.tsx';
import { HeadChoice } from './head-choice.tsx';
import { ReviewImage } from './review-image.tsx';

const QUEUE_POLL_MS = 10_000;
const QUEUE_LIMIT = 1000;
const NAME_KEY = 'bit-edge-reviewer';

/** Keys of answers; they do nothing while a person types. */
const SHORTCUTS: Readonly<Record<string, 'approve' | 'reject' | 'release'>> = {
  a: 'approve',
  r: 'reject',
  s: 'release',
};

/** The page. */
export function ReviewPage() {
  const { client } = useSession();
  const queue = useLoading(() => client.listReviews({ state: 'pending', limit: QUEUE_LIMIT }), [client]);
  const answered = useLoading(() => answeredReviews(client), [client]);
  const [name, setName] = useState(() => localStorage.getItem(NAME_KEY) ?? '');
  const [current, setCurrent] = useState<Review | null>(null);
  const [note, setNote] = useState('');
  const [head, setHead] = useState('');
  const [busy, setBusy] = useState(false);
  /** The same, known before the page is drawn again: a key that is pressed twice answers once. */
  const working = useRef(false);
  const [error, setError] = useState<unknown>(null);
  const [isDone, setIsDone] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  usePolling(queue.reload, QUEUE_POLL_MS);

  const reviewer = name.trim() === '' ? {} : { reviewer: name.trim() };
  const work = async (step: () => Promise<void>): Promise<void> => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    setError(null);
    try {
      await step();
    } catch (thrown) {
      setError(thrown);
    }
    working.current = false;
    setBusy(false);
    queue.reload();
    answered.reload();
  };
  const take = async (): Promise<void> => {
    const next = await client.claimNextReview(reviewer.reviewer);
    setCurrent(next);
    setIsDone(next === null);
    setNote('');
    heading.current?.focus();
  };
  const answer = (action: 'approve' | 'reject' | 'release'): Promise<void> =>
    work(async () => {
      if (current === null) return;
      // Before the answer: images are kept while they wait.
      const teaches = head !== '' && action !== 'release' && current.has_image;
      const image = teaches ? await client.getReviewImage(current.id) : null;
      const { label } = await client.review(current.id, { action, ...reviewer, ...(note !== '' && { note }) });
      if (image !== null && label !== null) {
        // A head that refuses the example keeps nobody from going on.
        await client.addExamples(head, [{ label, images: [await dataUriOf(image)] }]).catch(setError);
      }
      // What was put back would come again at once.
      if (action === 'release') setCurrent(null);
      else await take();
    });

  // Before the next event, so that an answer never carries the note as it was one key press ago.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const action = SHORTCUTS[event.key];
      const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (action === undefined || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      void answer(action);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });

  const waiting = queue.value?.reviews ?? [];
  const oldest = waiting[0];
  return (
    <>
      <div class="page-head with-actions">
        <h1>Review</h1>
        <p class="quiet" role="status">
          {queue.value === null && 'Reading the queue…'}
          {queue.value !== null && oldest === undefined && 'Nothing waits.'}
          {oldest !== undefined &&
            `${formatCount(waiting.length)}${queue.value?.next_cursor === null ? '' : ' or more'} waiting, the oldest for ${formatDuration(oldest.age_s)}`}
        </p>
        <div class="row">
          <HeadChoice head={head} onChange={setHead} />
          <label>
            Your name
            <input
              value={name}
              maxLength={64}
              autocomplete="name"
              disabled={current !== null}
              onInput={(event) => {
                setName(event.currentTarget.value);
                localStorage.setItem(NAME_KEY, event.currentTarget.value);
              }}
            />
          </label>
        </div>
      </div>
      {queue.error !== null && <ProblemNote error={queue.error} retry={queue.reload} />}
      {error !== null && <ProblemNote error={error} />}
      {current === null ? (
        <div class="empty">
          <h2 ref={heading} tabIndex={-1}>
            {isDone ? 'All done' : 'Ready'}
          </h2>
          <p>
            {isDone
              ? 'Nobody waits for an answer now.'
              : 'You get the image that has waited longest. Nobody else gets it for five minutes.'}
          </p>
          <p>
            <button type="button" class="primary" disabled={busy} onClick={() => void work(take)}>
              {isDone ? 'Look again' : 'Start reviewing'}
            </button>
          </p>
        </div>
      ) : (
        <article class="card review" aria-label="Image to review">
          <ReviewImage review={current} />
          <div class="review-side">
            <header>
              <h2 ref={heading} tabIndex={-1}>
                {current.item_id ?? 'Image without a name'}
              </h2>
              <p class="quiet">
                From {current.source}, policy {current.decision.policy.name}@{current.decision.policy.version}, waited{' '}
                {formatDuration(current.age_s)}
              </p>
            </header>
            <Explanation decision={current.decision} />
            <label>
              Note (optional)
              <input value={note} maxLength={1000} onInput={(event) => setNote(event.currentTarget.value)} />
            </label>
            <div class="row">
              <button type="button" class="primary" disabled={busy} onClick={() => void answer('approve')}>
                Approve <kbd>A</kbd>
              </button>
              <button type="button" class="danger" disabled={busy} onClick={() => void answer('reject')}>
                Reject <kbd>R</kbd>
              </button>
              <button type="button" disabled={busy} onClick={() => void answer('release')}>
                Put back <kbd>S</kbd>
              </button>
            </div>
          </div>
        </article>
      )}
      <Answered reviews={answered.value ?? []} />
    </>
  );
}

const SHOWN_ANSWERS = 20;

async function answeredReviews(client: BitEdgeClient): Promise<readonly Review[]> {
  const states = ['approved', 'rejected'] as const;
  const pages = await Promise.all(states.map((state) => client.listReviews({ state, limit: QUEUE_LIMIT })));
  return pages
    .flatMap(({ reviews }) => reviews)
    .sort((a, b) => Date.parse(b.reviewed_at ?? '') - Date.parse(a.reviewed_at ?? ''));
}

function Answered({ reviews }: { readonly reviews: readonly Review[] }) {
  if (reviews.length === 0) return null;
  return (
    <section class="panel" aria-label="Answered">
      <header class="row">
        <h2>Answered</h2>
        <button type="button" class="small" onClick={() => exportLabels(reviews)}>
          Export labels
        </button>
      </header>
      <ul class="list answered">
        {reviews
          .slice(0, SHOWN_ANSWERS)
          .map(({ id, item_id: item, state, reviewer, reviewed_at: at, note, callback_event_id: callback }) => (
            <li key={id}>
              <StateBadge state={state} />
              <span>{item ?? id}</span>
              {note !== null && <span class="quiet">“{note}”</span>}
              <span class="quiet list-end">
                {reviewer?.name ?? reviewer?.key}
                {at !== null && `, ${formatAge(at, Date.now())}`}
                {callback !== null && ', callback sent'}
              </span>
            </li>
          ))}
      </ul>
    </section>
  );
}

/** One line an image: what training and `bit-edge policy test` need. */
function exportLabels(reviews: readonly Review[]): void {
  const lines = reviews.map(({ item_id, label, decision, reviewer, reviewed_at }) =>
    JSON.stringify({
      item_id,
      image_sha256: decision.image_sha256,
      label,
      reason: decision.reason,
      reviewer,
      reviewed_at,
    }),
  );
  downloadBlob(new Blob([`${lines.join('\n')}\n`], { type: 'application/x-ndjson' }), 'labels.ndjson');
}
