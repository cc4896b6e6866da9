/** A part of a page that pictures can be dropped on, picked for, or taken with the camera for. */
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { CameraDialog } from './camera-dialog.tsx';
import { Icon } from './icons.tsx';

interface DropZoneProps {
  /** Names it, and the button that picks. */
  readonly label: string;
  /** Says what the button does; default the label. */
  readonly action: string;
  readonly children?: ComponentChildren;
  onFiles(files: readonly File[]): void;
}

/** The zone: its children, then the buttons. */
export function DropZone({ label, action, children, onFiles }: DropZoneProps) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [camera, setCamera] = useState(false);
  const give = (files: FileList | null | undefined): void => {
    const pictures = [...(files ?? [])].filter(({ type }) => type === '' || type.startsWith('image/'));
    if (pictures.length > 0) onFiles(pictures);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the buttons are for the keyboard.
    <div
      class={over ? 'drop-zone over' : 'drop-zone'}
      onDragOver={(event) => {
        if (event.dataTransfer?.types.includes('Files') !== true) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        give(event.dataTransfer?.files);
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
            give(event.currentTarget.files);
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
