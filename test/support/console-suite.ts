/** A suite of the console's browser tests: one deployment, one browser, a fresh tab a test, no complaint of the page allowed. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { CHROMIUM_PATH, hasChromium, startBrowser, type TestBrowser } from '../../scripts/screenshots/browser.ts';
import { type ConsoleDeployment, type ConsoleDeploymentOptions, startConsoleDeployment } from './console-deployment.ts';

const NO_BROWSER = hasChromium() ? '' : ` (skipped: no ${CHROMIUM_PATH}; Debian's package chromium has it)`;

/** What tests of the suite work with. */
export interface ConsoleSuite {
  deployment(): ConsoleDeployment;
  page(): Page;
}

interface SuiteOptions extends ConsoleDeploymentOptions {
  /** The page that every test begins at. */
  readonly path: string;
}

/** Defines a suite. */
export function describeConsole(name: string, options: SuiteOptions, define: (suite: ConsoleSuite) => void): void {
  describe.skipIf(!hasChromium())(`${name}${NO_BROWSER}`, () => {
    let deployment: ConsoleDeployment;
    let browser: TestBrowser;
    let page: Page;
    let complaints: string[];

    beforeAll(async () => {
      deployment = await startConsoleDeployment(options);
      browser = await startBrowser({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
    });

    afterAll(async () => {
      await browser?.close();
      await deployment?.stop();
    });

    beforeEach(async () => {
      complaints = [];
      page = await browser.context.newPage();
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        // A refused request is an answer; a refused script or style is a defect.
        if (message.type() === 'error' && !message.text().includes('Failed to load resource')) {
          complaints.push(message.text());
        }
      });
      await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
          console.error(`refused by the page's policy: ${violatedDirective} ${blockedURI}`);
        });
      });
      await page.goto(deployment.url + options.path);
    });

    afterEach(async () => {
      await page.close();
      expect(complaints).toEqual([]);
    });

    define({ deployment: () => deployment, page: () => page });
  });
}
