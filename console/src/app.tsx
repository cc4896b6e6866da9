/** The frame around every page: navigation, sign-in, what to show where there is no page. */
import type { ComponentType } from 'preact';
import { useEffect, useErrorBoundary, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Navigation } from './components/navigation.tsx';
import { ProblemNote } from './components/problem.tsx';
import { SignIn } from './components/sign-in.tsx';
import { PAGES, type Page } from './pages.ts';
import { useLocation } from './router.tsx';
import { type Session, SessionProvider, useNewSession } from './session.tsx';

/** The console. */
export function App() {
  const session = useNewSession();
  const { pathname } = useLocation();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const page = PAGES.find(({ path }) => path === pathname) ?? null;
  useEffect(() => {
    document.title = page === null ? 'bit-edge' : `${page.title} · bit-edge`;
    // A screen reader is taken to the new page, as a browser does for a new document.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [page]);
  return (
    <SessionProvider value={session}>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Navigation pages={visiblePages(session)} current={page} />
      <main id="main" ref={main} tabIndex={-1}>
        <Connection />
        <Content session={session} page={page} />
      </main>
    </SessionProvider>
  );
}

function visiblePages({ access }: Session): readonly Page[] {
  if (access.state !== 'open') return PAGES.filter(({ isPublic }) => isPublic === true);
  return PAGES.filter(({ scope }) => scope === null || access.key.scopes.includes(scope));
}

function Content({ session, page }: { readonly session: Session; readonly page: Page | null }) {
  const { access } = session;
  if (page?.isPublic === true) return <LoadedPage key={page.path} page={page} />;
  if (access.state === 'asking') return <p class="quiet">Connecting…</p>;
  if (access.state === 'closed') return <SignIn />;
  if (access.state === 'failed') return <ProblemNote error={access.error} retry={session.retry} />;
  if (page === null) {
    return (
      <div class="empty">
        <h1>Not found</h1>
        <p>There is no page at this address.</p>
      </div>
    );
  }
  if (page.scope !== null && !access.key.scopes.includes(page.scope)) {
    return (
      <div class="empty">
        <h1>{page.title}</h1>
        <p>
          This page needs an API key with the scope <code>{page.scope}</code>.
        </p>
      </div>
    );
  }
  return <LoadedPage key={page.path} page={page} />;
}

function LoadedPage({ page }: { readonly page: Page }) {
  const [loaded, setLoaded] = useState<{ readonly component: ComponentType } | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [thrown] = useErrorBoundary();
  useEffect(() => {
    Promise.resolve(page.load()).then((component) => setLoaded({ component }), setFailure);
  }, [page]);
  const error: unknown = failure ?? thrown ?? null;
  if (error !== null) return <ProblemNote error={error} retry={() => location.reload()} />;
  if (loaded === null) return <p class="quiet">Loading…</p>;
  return <loaded.component />;
}

function Connection() {
  const [online, setOnline] = useState(navigator.onLine);
  useLayoutEffect(() => {
    const changed = (): void => setOnline(navigator.onLine);
    addEventListener('online', changed);
    addEventListener('offline', changed);
    return () => {
      removeEventListener('online', changed);
      removeEventListener('offline', changed);
    };
  }, []);
  if (online) return null;
  return (
    <p class="banner" role="status">
      No connection. What is shown may be old; new requests will fail.
    </p>
  );
}
