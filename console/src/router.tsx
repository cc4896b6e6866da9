/** Addresses of pages: the history API and nothing more. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

const CHANGED = 'bit-edge:navigated';

/** Goes to an address of the console. */
export function navigate(target: string): void {
  history.pushState(null, '', target);
  dispatchEvent(new Event(CHANGED));
}

/** The address of now, path and query. */
export function useLocation(): URL {
  const [href, setHref] = useState(location.href);
  // Before the next event: an address that changes right after the first paint is not missed.
  useLayoutEffect(() => {
    const changed = (): void => setHref(location.href);
    addEventListener('popstate', changed);
    addEventListener('hashchange', changed);
    addEventListener(CHANGED, changed);
    return () => {
      removeEventListener('popstate', changed);
      removeEventListener('hashchange', changed);
      removeEventListener(CHANGED, changed);
    };
  }, []);
  return new URL(href);
}

interface LinkProps {
  readonly href: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly current?: boolean;
}

/** A link within the console; with a modifier key, or to elsewhere, the browser's own. */
export function Link({ href, children, class: className, current = false }: LinkProps) {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a href={href} class={className} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
