/** Icons, drawn for this console on a grid of 20 px. They say nothing that the text beside them does not. */

const PATHS = {
  try: 'M3 5.5A1.5 1.5 0 0 1 4.5 4h11A1.5 1.5 0 0 1 17 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5zM3.5 14l4-4.5 3 3 2-2 4 4M12.75 7.5h.01',
  teach: 'M3 4.5h5v11H3zM12 4.5h5v6h-5zM14.5 13v5M12 15.5h5',
  moderate: 'M10 2.5 16 5v4.5c0 4-2.6 6.7-6 8-3.4-1.3-6-4-6-8V5zM7.5 10l1.8 1.8L12.8 8',
  review: 'M3 11h3.5l1 2h5l1-2H17M3 11l2-6.5h10L17 11v4.5H3z',
  jobs: 'M10 3 17 6.5 10 10 3 6.5zM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5',
  models: 'M10 2.5 16.5 6v8L10 17.5 3.5 14V6zM3.5 6 10 9.5 16.5 6M10 9.5v8',
  webhooks:
    'M8.5 11.5a3 3 0 0 0 4.3.2l2.5-2.5a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3-.2l-2.5 2.5a3 3 0 0 0 4.3 4.3l1-1',
  health: 'M2.5 10h3.5l2-5.5 4 11 2-5.5h3.5',
  docs: 'M5 3h7.5L16 6.5V17H5zM12 3v4h4M8 10.5h5M8 13.5h5',
  upload: 'M10 13V4M6.5 7.5 10 4l3.5 3.5M3.5 13v3h13v-3',
  camera: 'M3 6.5h3L7.5 4.5h5L14 6.5h3V15.5H3zM10 13.5a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5z',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  close: 'M5 5l10 10M15 5 5 15',
  theme: 'M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14',
} as const;

export type IconName = keyof typeof PATHS;

/** One icon, of the size of the text around it. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
