/** What the decoder read and what the network sees of a picture, worked out here by the deployment's own code. */
import { useEffect, useRef } from 'preact/hooks';
import type { NetworkInput } from '../../decoding/network-input.ts';
import { formatBytes } from '../../format.ts';

const FORMATS = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', gif: 'GIF', bmp: 'BMP' } as const;

/** The resized and cropped picture, its px as squares. */
export function NetworkPicture({ input }: { readonly input: NetworkInput }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, rgb8 } = input;
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context == null) return;
    const data = new ImageData(width, height);
    for (let from = 0, to = 0; from < rgb8.length; from += 3, to += 4) {
      data.data[to] = rgb8[from]!;
      data.data[to + 1] = rgb8[from + 1]!;
      data.data[to + 2] = rgb8[from + 2]!;
      data.data[to + 3] = 255;
    }
    context.putImageData(data, 0, 0);
  }, [width, height, rgb8]);
  return (
    <figure class="network">
      <canvas ref={canvas} width={width} height={height} role="img" aria-label="The picture as the network sees it" />
      <figcaption>
        Network sees {width} × {height}
      </figcaption>
    </figure>
  );
}

/** What the headers say. */
export function DecoderFacts({ input, bytes }: { readonly input: NetworkInput; readonly bytes: number }) {
  const { info, scaleDenominator, resized } = input;
  const facts: [string, string][] = [
    [
      'Format',
      `${FORMATS[info.format]}${info.interlaced ? (info.format === 'jpeg' ? ', progressive' : ', interlaced') : ''}`,
    ],
    ['Size', `${info.width} × ${info.height}, ${formatBytes(bytes)}`],
    ['Samples', `${info.components} × ${info.bitsPerSample} bit`],
    ['Orientation', info.orientation === 1 ? 'upright' : `EXIF ${info.orientation}, turned upright`],
    ...(info.frames > 1 ? [['Frames', `${info.frames}, the first is used`] as [string, string]] : []),
    ['Decoded at', scaleDenominator === 1 ? 'full size' : `1/${scaleDenominator}`],
    ['Resized to', `${resized.width} × ${resized.height}`],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
