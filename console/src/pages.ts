/** The pages: their addresses, what a key needs to see them, and how they are loaded. */
import type { ComponentType } from 'preact';
import type { Key } from '../../client/index.ts';
import type { IconName } from './components/icons.tsx';
import { TryPage } from './pages/try/try-page.tsx';

/** One page. */
export interface Page {
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
  /** Null: any key will do. */
  readonly scope: Key['scopes'][number] | null;
  /** True if no key is needed: it is shown before anybody signs in. */
  readonly isPublic?: true;
  /** The first page is part of the first load; the others come when they are first shown. */
  load(): ComponentType | Promise<ComponentType>;
}

/** In the order of the navigation. */
export const PAGES: readonly Page[] = [
  { path: '/', title: 'Try', icon: 'try', scope: 'classify', load: () => TryPage },
  {
    path: '/teach',
    title: 'Teach',
    icon: 'teach',
    scope: 'heads',
    load: async () => (await import('./pages/teach/teach-page.tsx')).TeachPage,
  },
  {
    path: '/moderate',
    title: 'Moderate',
    icon: 'moderate',
    scope: 'moderate',
    load: async () => (await import('./pages/moderate/moderate-page.tsx')).ModeratePage,
  },
  {
    path: '/review',
    title: 'Review',
    icon: 'review',
    scope: 'moderate',
    load: async () => (await import('./pages/review/review-page.tsx')).ReviewPage,
  },
  {
    path: '/webhooks',
    title: 'Webhooks',
    icon: 'webhooks',
    scope: 'moderate',
    load: async () => (await import('./pages/webhooks/webhooks-page.tsx')).WebhooksPage,
  },
  {
    path: '/jobs',
    title: 'Jobs',
    icon: 'jobs',
    scope: 'jobs',
    load: async () => (await import('./pages/jobs/jobs-page.tsx')).JobsPage,
  },
  {
    path: '/models',
    title: 'Models',
    icon: 'models',
    scope: null,
    load: async () => (await import('./pages/models/models-page.tsx')).ModelsPage,
  },
  {
    path: '/health',
    title: 'Health',
    icon: 'health',
    scope: 'admin',
    load: async () => (await import('./pages/health/health-page.tsx')).HealthPage,
  },
  {
    path: '/docs',
    title: 'API',
    icon: 'docs',
    scope: null,
    isPublic: true,
    load: async () => (await import('./pages/docs/docs-page.tsx')).DocsPage,
  },
];
