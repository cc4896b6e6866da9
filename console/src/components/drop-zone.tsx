/** A part of a page that takes pictures: dropped on it, picked, or taken with the camera. */
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { CameraDialog } from './camera-dialog.tsx';
import { Icon } from './icons.tsx';

interface DropZoneProps {
  /** What the pictures are for: follows the action, for screen readers. */
  readonly label: string;
  /** Text of the button that picks. */
  readonly action: string;
  readonly children?: ComponentChildren;
  onFiles(files: readonly File[]): void;
}

/** The files that may be pictures: browsers give no type for formats that they do not know. */
export function picturesAmong(files: Iterable<File>): File[] {
  return [...files].filter(({ type }) => type === '' || type.startsWith('image/'));
}

/** The zone: its children, then the buttons. */
export function DropZone({ label, action, children, onFiles }: DropZoneProps) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [camera, setCamera] = useState(false);
  const give = (files: Iterable<File>): void => {
    const pictures = picturesAmong(files);
    if (pictures.length > 0) onFiles(pictures);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the buttons are for the keyboard.
    <div
      class={over ? 'drop-zone over' : 'drop-zone'}
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        // A text that is dropped on a field is the field's.
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(false);
        give(event.dataTransfer?.files ?? []);
      }}
    >
      {children}
      <div class="row">
        <label class="button small" for={id}>
          <Icon name="upload" />
          {action}
          <span class="visually-hidden"> {label}</span>
        </label>
        <input
          id={id}
          class="hidden-input"
          type="file"
          accept="image/*"
          multiple
          onChange={(event) => {
            give(event.currentTarget.files ?? []);
            event.currentTarget.value = '';
          }}
        />
        {navigator.mediaDevices !== undefined && (
          <button type="button" class="small" aria-label={`Camera ${label}`} onClick={() => setCamera(true)}>
            <Icon name="camera" />
          </button>
        )}
      </div>
      {camera && (
        <CameraDialog
          onPicture={(blob) => onFiles([new File([blob], 'camera.jpg', { type: blob.type })])}
          onClose={() => setCamera(false)}
        />
      )}
    </div>
  );
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') === true;
}
