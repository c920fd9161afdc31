/** A few buttons of which one is pressed. */
export function Switch<V extends string>(props: {
  name: string;
  value: V;
  choices: readonly (readonly [value: V, text: string, title: string])[];
  choose: (value: V) => void;
}) {
  const { name, value, choices, choose } = props;
  return (
    <fieldset class="rw-map-switch" aria-label={name}>
      {choices.map(([choice, text, title]) => (
        <button
          key={choice}
          type="button"
          title={title}
          aria-pressed={value === choice}
          onClick={() => choose(choice)}
          data-lm-suppress-shortcuts="true"
        >
          {text}
        </button>
      ))}
    </fieldset>
  );
}
