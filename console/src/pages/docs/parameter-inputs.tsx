/** The parameters of an operation as fields. */
import { useId } from 'preact/hooks';
import { choicesOf, type Parameter, type Schema } from './document.ts';

interface ParameterInputsProps {
  readonly parameters: readonly Parameter[];
  /** By place and name. */
  readonly values: Readonly<Record<string, string>>;
  onChange(values: Readonly<Record<string, string>>): void;
}

/** The fields; nothing if there are no parameters. */
export function ParameterInputs({ parameters, values, onChange }: ParameterInputsProps) {
  if (parameters.length === 0) return null;
  return (
    <div class="parameters">
      {parameters.map((parameter) => {
        const key = `${parameter.in} ${parameter.name}`;
        return (
          <ParameterInput
            key={key}
            parameter={parameter}
            value={values[key] ?? ''}
            onChange={(value) => onChange({ ...values, [key]: value })}
          />
        );
      })}
    </div>
  );
}

interface ParameterInputProps {
  readonly parameter: Parameter;
  readonly value: string;
  onChange(value: string): void;
}

function ParameterInput({ parameter, value, onChange }: ParameterInputProps) {
  const id = useId();
  const { name, in: place, required, description, schema } = parameter;
  const choices = choicesOf(schema);
  const note = description ?? schema.description;
  return (
    <div class="parameter">
      <label for={id}>
        <span>
          <code>{name}</code> {place}
          {required && ', required'}
        </span>
      </label>
      {choices === null ? (
        <input
          id={id}
          value={value}
          required={required}
          placeholder={hintOf(schema)}
          spellcheck={false}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      ) : (
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="">{schema.default === undefined ? 'not sent' : `default: ${String(schema.default)}`}</option>
          {choices.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      )}
      {note !== undefined && <small>{note}</small>}
    </div>
  );
}

function hintOf({ default: value, type, minimum, maximum }: Schema): string {
  if (value !== undefined) return `default: ${Array.isArray(value) ? value.join(',') : String(value)}`;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return type ?? '';
}
