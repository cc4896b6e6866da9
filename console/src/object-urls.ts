/** Releases `blob:` URLs, which keep their bytes in memory. */
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Revokes a URL once it is no longer in the list, and all of them when the component goes. */
export function useReleasedUrls(urls: readonly string[]): void {
  const held = useRef<readonly string[]>([]);
  useLayoutEffect(() => {
    const kept = new Set(urls);
    revokeUrls(held.current.filter((url) => !kept.has(url)));
    held.current = urls;
  });
  useLayoutEffect(() => () => revokeUrls(held.current), []);
}

function revokeUrls(urls: readonly string[]): void {
  for (const url of urls) URL.revokeObjectURL(url);
}
