/** Light or dark: what the system says, until a person chooses. */
import { useState } from 'preact/hooks';

const STORAGE_KEY = 'bit-edge-theme';
const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** The theme, and the next one. */
export function useTheme(): { readonly theme: Theme; next(): void } {
  const [theme, setTheme] = useState(() => applyTheme(storedTheme()));
  const next = (): void => {
    const following = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    localStorage.setItem(STORAGE_KEY, following);
    setTheme(applyTheme(following));
  };
  return { theme, next };
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(STORAGE_KEY);
  return THEMES.find((each) => each === stored) ?? 'auto';
}

function applyTheme(theme: Theme): Theme {
  document.documentElement.dataset.theme = theme;
  return theme;
}
