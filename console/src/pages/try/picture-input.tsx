/** Where pictures come from: dropped, pasted, picked, taken, or one of the samples. */
import { useId, useLayoutEffect, useState } from 'preact/hooks';
import { CameraDialog } from '../../components/camera-dialog.tsx';
import { Icon } from '../../components/icons.tsx';

/** Drawings, below /console/samples/; console/samples.ts makes them. */
const SAMPLES = [
  { file: 'lemon.jpg', name: 'Lemon' },
  { file: 'school-bus.jpg', name: 'School bus' },
  { file: 'ladybug.jpg', name: 'Ladybug' },
  { file: 'goldfish.jpg', name: 'Goldfish' },
] as const;

/** A picture and its name. */
export interface NewPicture {
  readonly name: string;
  readonly blob: Blob;
}

interface PictureInputProps {
  /** True where there are pictures already: the area is smaller. */
  readonly compact: boolean;
  onPictures(pictures: readonly NewPicture[]): void;
}

/** The area, its buttons and the samples. Drop and paste work on the whole page. */
export function PictureInput({ compact, onPictures }: PictureInputProps) {
  const id = useId();
  const [over, setOver] = useState(false);
  const [camera, setCamera] = useState(false);
  const give = (files: Iterable<File>): void => {
    const pictures = [...files].map((file) => ({ name: file.name, blob: file }));
    if (pictures.length > 0) onPictures(pictures);
  };

  // Before the next event: what is dropped as soon as the area is seen is taken.
  useLayoutEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const dragOver = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const dragLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      give(event.dataTransfer?.files ?? []);
    };
    const paste = (event: ClipboardEvent): void => give(event.clipboardData?.files ?? []);
    addEventListener('dragover', dragOver);
    addEventListener('dragleave', dragLeave);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      removeEventListener('dragover', dragOver);
      removeEventListener('dragleave', dragLeave);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  });

  const addSample = async (file: string): Promise<void> => {
    const response = await fetch(`/console/samples/${file}`);
    if (response.ok) onPictures([{ name: file, blob: await response.blob() }]);
  };

  return (
    <section class={`drop${over ? ' over' : ''}${compact ? ' compact' : ''}`} aria-label="Add pictures">
      <div class="drop-words">
        <Icon name="upload" />
        <p>
          <strong>Drop pictures here</strong>
          <span class="quiet"> or paste them. JPEG, PNG, WebP, GIF, BMP.</span>
        </p>
      </div>
      <ul class="samples" aria-label="Samples">
        {SAMPLES.map(({ file, name }) => (
          <li key={file}>
            <button type="button" class="sample" onClick={() => void addSample(file)}>
              <img src={`/console/samples/${file}`} alt={`Try a drawing: ${name}`} width="56" height="56" />
            </button>
          </li>
        ))}
      </ul>
      <div class="row">
        <label class="button primary" for={id}>
          Choose pictures
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
          <button type="button" onClick={() => setCamera(true)}>
            <Icon name="camera" />
            Camera
          </button>
        )}
      </div>
      {camera && (
        <CameraDialog
          onPicture={(blob) => onPictures([{ name: 'camera.jpg', blob }])}
          onClose={() => setCamera(false)}
        />
      )}
    </section>
  );
}
