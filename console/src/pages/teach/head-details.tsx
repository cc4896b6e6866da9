/** One head: what it is worth, what to look at, trying it, publishing it, teaching it more. */
import { useState } from 'preact/hooks';
import type { Head } from '../../../../client/index.ts';
import { CallTabs } from '../../components/call-tabs.tsx';
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatCount } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { HeadReportView } from './head-report.tsx';
import { HeadVersions } from './head-versions.tsx';
import { Suspects } from './suspects.tsx';
import { TeachMore } from './teach-more.tsx';
import { trainNow } from './teaching.ts';
import { TryHead } from './try-head.tsx';

const POLL_MS = 1000;

interface HeadDetailsProps {
  readonly name: string;
  onDeleted(): void;
}

/** The panels. */
export function HeadDetails({ name, onDeleted }: HeadDetailsProps) {
  const { client, access, signedIn } = useSession();
  const head = useLoading(() => client.getHead(name), [client, name]);
  const [chosen, setChosen] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const isMoving = head.value?.state === 'embedding' || head.value?.state === 'stale';
  usePolling(head.reload, isMoving ? POLL_MS : null);

  const run = async (change: () => Promise<unknown>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await change();
    } catch (thrown) {
      setError(thrown);
    }
    setBusy(false);
    head.reload();
  };
  if (head.error !== null && head.value === null) return <ProblemNote error={head.error} retry={head.reload} />;
  if (head.value === null) return <p class="quiet">Reading the head…</p>;
  const isOwn = access.state === 'open' && access.key.id === head.value.owner;
  const version = head.value.versions.find((each) => each.version === chosen) ?? head.value.versions[0];
  const newest = head.value.versions[0]?.version;
  const call = {
    origin: location.origin,
    model: head.value.aliases.latest === undefined && version !== undefined ? `${name}@${version.version}` : name,
    topK: 5,
    functionToApply: null,
    exact: false,
    fileName: 'photo.jpg',
    needsKey: signedIn,
  } as const;
  return (
    <>
      <HeadSummary head={head.value} />
      {head.error !== null && <ProblemNote error={head.error} retry={head.reload} />}
      {error !== null && <ProblemNote error={error} />}
      {version !== undefined && (
        <>
          <TryHead key={version.version} reference={`${name}@${version.version}`} />
          <HeadReportView key={`report ${version.version}`} reference={`${name}@${version.version}`}>
            {(report) =>
              isOwn &&
              version.version === newest && (
                <Suspects
                  name={name}
                  report={report}
                  busy={busy}
                  onChange={(change) =>
                    void run(async () => {
                      await change();
                      await trainNow(client, name);
                      setChosen(null);
                    })
                  }
                />
              )
            }
          </HeadReportView>
          <HeadVersions
            head={head.value}
            shown={version.version}
            isOwn={isOwn}
            busy={busy}
            onShow={setChosen}
            onChange={(change) => void run(change)}
          />
          <CallTabs call={call} />
        </>
      )}
      {isOwn && (
        <TeachMore
          head={head.value}
          onTaught={() => {
            setChosen(null);
            head.reload();
          }}
        />
      )}
      {isOwn && <DeleteHead name={name} onDelete={() => run(() => client.deleteHead(name).then(onDeleted))} />}
    </>
  );
}

function HeadSummary({ head }: { readonly head: Head }) {
  const { name, state, backbone, examples, classes, error } = head;
  return (
    <section class="panel" aria-label="Head">
      <header class="row">
        <h2>{name}</h2>
        <StateBadge state={state} />
        <span class="quiet">
          {formatCount(examples.ready)} examples of {formatCount(classes.length)} classes, on {backbone.name}@
          {backbone.version}
        </span>
      </header>
      {examples.pending > 0 && <p role="status">{formatCount(examples.pending)} pictures wait to be embedded…</p>}
      {examples.failed > 0 && (
        <p>
          {formatCount(examples.failed)} {examples.failed === 1 ? 'picture' : 'pictures'} could not be read.
        </p>
      )}
      {error !== null && (
        <p class="problem">
          <span class="problem-title">The last training failed</span>
          <span>
            <code>{error.code}</code> {error.message}
          </span>
        </p>
      )}
    </section>
  );
}

function DeleteHead({ name, onDelete }: { readonly name: string; onDelete(): void }) {
  const [asked, setAsked] = useState(false);
  return (
    <div class="row">
      {asked ? (
        <>
          <span>{name}, its examples and its versions are deleted. What calls it fails then.</span>
          <button type="button" class="danger" onClick={onDelete}>
            Delete {name}
          </button>
          <button type="button" onClick={() => setAsked(false)}>
            Keep it
          </button>
        </>
      ) : (
        <button type="button" class="danger" onClick={() => setAsked(true)}>
          Delete this head…
        </button>
      )}
    </div>
  );
}
