/** Takes a picture with the device's camera. The stream never leaves the device; only the picture taken is sent. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ProblemNote } from './problem.tsx';

const JPEG_QUALITY = 0.92;

interface CameraDialogProps {
  onPicture(picture: Blob): void;
  onClose(): void;
}

/** A modal dialog with what the camera sees. */
export function CameraDialog({ onPicture, onClose }: CameraDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<unknown>(null);

  useEffect(() => {
    dialog.current?.showModal();
    let stream: MediaStream | null = null;
    let closed = false;
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).then(
      (opened) => {
        stream = opened;
        if (closed) stopStream(opened);
        else if (video.current !== null) video.current.srcObject = opened;
      },
      (thrown: unknown) => setError(thrown),
    );
    return () => {
      closed = true;
      if (stream !== null) stopStream(stream);
    };
  }, []);

  const take = (): void => {
    const source = video.current;
    if (source === null) return;
    const canvas = document.createElement('canvas');
    canvas.width = source.videoWidth;
    canvas.height = source.videoHeight;
    canvas.getContext('2d')?.drawImage(source, 0, 0);
    canvas.toBlob(
      (blob) => {
        if (blob !== null) onPicture(blob);
        onClose();
      },
      'image/jpeg',
      JPEG_QUALITY,
    );
  };

  return (
    <dialog ref={dialog} class="camera" aria-label="Camera" onClose={onClose}>
      {error === null ? (
        <video ref={video} autoplay playsInline muted onPlaying={() => setReady(true)} />
      ) : (
        <ProblemNote error={error} />
      )}
      <div class="row">
        <button type="button" class="primary" onClick={take} disabled={!ready}>
          Take picture
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}

function stopStream(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
