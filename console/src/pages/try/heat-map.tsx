/** Where in a picture the evidence for a label is: the label's class activation map over what the network saw. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ClassActivation } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import type { Fraction } from '../../decoding/network-input.ts';
import { splitLabel } from '../../format.ts';
import { useSession } from '../../session.tsx';
import type { Answer, Picture, Question } from './answers.ts';

/** What the heat map of a picture is. */
export interface HeatMapState {
  /** Null while it is off, and while it is asked for. */
  readonly activation: ClassActivation | null;
  readonly error: unknown;
  /** The label's index; null: off. */
  readonly index: number | null;
  show(index: number | null): void;
}

/** Asks for maps as they are chosen; a map of another model or label that comes too late is dropped. */
export function useHeatMap(picture: Picture, { model, exact }: Question): HeatMapState {
  const { client } = useSession();
  const [index, setIndex] = useState<number | null>(null);
  const [activation, setActivation] = useState<ClassActivation | null>(null);
  const [error, setError] = useState<unknown>(null);
  useLayoutEffect(() => {
    setActivation(null);
    setError(null);
    if (index === null) return;
    let current = true;
    client.classActivation(picture.blob, { model, index, ...(exact && { exact }) }).then(
      (answer) => {
        if (current) setActivation(answer);
      },
      (thrown: unknown) => {
        if (current) setError(thrown);
      },
    );
    return () => {
      current = false;
    };
  }, [client, picture, model, exact, index]);
  return { activation, error, index, show: setIndex };
}

interface HeatMapProps {
  readonly activation: ClassActivation;
  /** What the network saw of the picture. */
  readonly crop: Fraction;
}

/** The map, laid over the picture: the stronger the evidence, the more opaque. */
export function HeatMap({ activation: { map, label }, crop }: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [height = 1, width = 1] = map.shape;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context == null || typeof map.data === 'string') return;
    // Where every place speaks for the label, from the weakest on: else all of the picture is red.
    const least = Math.max(0, Math.min(...map.data));
    const range = Math.max(Math.max(...map.data) - least, 1e-9);
    const pixels = new ImageData(width, height);
    for (const [at, value] of map.data.entries()) {
      const strength = Math.max(0, value - least) / range;
      pixels.data.set([255, Math.round(210 * (1 - strength)), 0, Math.round(190 * strength)], 4 * at);
    }
    context.putImageData(pixels, 0, 0);
  }, [map, height, width]);
  return (
    <canvas
      ref={canvas}
      class="heat-map"
      width={width}
      height={height}
      role="img"
      aria-label={`Evidence for ${splitLabel(label).first}`}
      style={{
        left: `${crop.left * 100}%`,
        top: `${crop.top * 100}%`,
        width: `${crop.width * 100}%`,
        height: `${crop.height * 100}%`,
      }}
    />
  );
}

interface HeatMapControlProps {
  readonly state: HeatMapState;
  readonly answer: Answer;
}

/** Turns the map on for one of the labels that were answered. */
export function HeatMapControl({ state: { index, activation, error, show }, answer }: HeatMapControlProps) {
  if (answer.state !== 'done') return null;
  const { predictions } = answer.classification;
  return (
    <div class="heat-map-control">
      <label>
        Heat map
        <select
          value={index === null ? '' : String(index)}
          onChange={(event) => show(event.currentTarget.value === '' ? null : Number(event.currentTarget.value))}
        >
          <option value="">off</option>
          {predictions.map((each) => (
            <option key={each.index} value={String(each.index)}>
              {splitLabel(each.label).first}
            </option>
          ))}
        </select>
      </label>
      {error !== null && <ProblemNote error={error} />}
      {activation !== null && typeof activation.map.data !== 'string' && (
        <p class="quiet" role="status">
          {activation.map.shape.join(' × ')} places; their mean {(activation.logit - activation.bias).toFixed(2)} and
          the bias {activation.bias.toFixed(2)} are the logit {activation.logit.toFixed(2)}.
        </p>
      )}
    </div>
  );
}
