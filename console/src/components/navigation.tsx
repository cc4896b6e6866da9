/** The navigation: a column beside the page, or a row above it on a narrow screen. */
import { useEffect, useRef } from 'preact/hooks';
import type { Page } from '../pages.ts';
import { Link } from '../router.tsx';
import { useSession } from '../session.tsx';
import { useTheme } from '../theme.ts';
import { Icon } from './icons.tsx';

interface NavigationProps {
  readonly pages: readonly Page[];
  readonly current: Page | null;
}

/** Pages that the key may see, the API's own, and what concerns this tab. */
export function Navigation({ pages, current }: NavigationProps) {
  const { signedIn, signOut, access } = useSession();
  const { theme, next } = useTheme();
  const list = useRef<HTMLElement>(null);
  // On a narrow screen the row of pages is wider than the screen.
  useEffect(() => {
    const link = list.current?.querySelector('[aria-current="page"]');
    if (current !== null && pages.length > 0) link?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [current, pages.length]);
  return (
    <header class="side">
      <Link href="/" class="brand">
        <img src="/console/icon.svg" alt="" width="24" height="24" />
        <span>bit-edge</span>
      </Link>
      <nav aria-label="Pages" ref={list}>
        <ul>
          {pages.map((page) => (
            <li key={page.path}>
              <Link href={page.path} current={page === current}>
                <Icon name={page.icon} />
                {page.title}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div class="side-foot">
        {signedIn && access.state === 'open' && (
          <button type="button" class="plain" onClick={signOut} title={`Key ${access.key.id}`}>
            Sign out
          </button>
        )}
        <button type="button" class="plain" onClick={next}>
          <Icon name="theme" />
          <span>Theme: {theme}</span>
        </button>
      </div>
    </header>
  );
}
