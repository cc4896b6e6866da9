/** Copies a text, and says so. */
import { useState } from 'preact/hooks';
import { Icon } from './icons.tsx';

const SHOWN_MS = 1500;

/** A button. @param what Names the text, for a screen reader. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'refused'>('idle');
  const copy = (): void => {
    const show = (next: 'copied' | 'refused'): void => {
      setState(next);
      setTimeout(() => setState('idle'), SHOWN_MS);
    };
    // Without https there is no clipboard.
    if (navigator.clipboard === undefined) {
      show('refused');
      return;
    }
    navigator.clipboard.writeText(text).then(
      () => show('copied'),
      () => show('refused'),
    );
  };
  const shown = { idle: 'Copy', copied: 'Copied', refused: 'Not allowed here' }[state];
  return (
    <button type="button" class="small" onClick={copy} aria-label={`${shown} ${what}`}>
      <Icon name="copy" />
      <span aria-live="polite">{shown}</span>
    </button>
  );
}
