/** What is wider than a narrow screen scrolls by itself, by finger and by arrow keys. */
import type { ComponentChildren } from 'preact';

/** A frame around a table. @param label Names it for a screen reader. */
export function ScrollFrame({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (axe, scrollable-region-focusable).
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms.
    <div class="scroll-frame" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
