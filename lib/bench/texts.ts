/** Prose of any length to measure with: the same texts in every run, no two of them alike. */

const SENTENCES = [
  'The ferry to the island leaves at seven in the morning and returns before dark.',
  'Nobody had expected the old bridge to carry the weight of both lorries at once.',
  'She wrote three letters that evening, and burned two of them before breakfast.',
  'A kilogram of flour, four eggs and a pinch of salt are all that the recipe asks for.',
  'When the invoice has been approved, the order moves to the warehouse on the same day.',
  'The committee will publish its report in March, together with the raw measurements.',
  'Rain fell on the northern valleys for eleven days, and then the river rose.',
  'He repaired clocks for a living and was, for that reason, never on time.',
  'Keep the receiver on its charger for two hours before you use it for the first time.',
  'Our neighbours have planted cherries along the fence, which the birds appreciate.',
  'In the second chapter the author returns to the question of who owned the mill.',
  'Passengers with a connection in Lisbon should leave the train by the rear doors.',
  'The patient reported less pain after the third week, and slept through the night.',
  'Few towns of that size have two theatres, and fewer still fill them both.',
  'To reset the counter, hold the left button until the light turns green.',
  'They measured the depth of the lake every summer for half a century.',
  'My grandmother kept the deeds of the house in a biscuit tin under the stairs.',
  'The contract ends with the year unless one of the parties renews it in writing.',
  'Light from that star left it before there were any cities to see it from.',
  'What the inspectors found in the cellar was neither dangerous nor quite legal.',
];

/** `count` texts of `size` characters; the same arguments give the same texts. */
export function prose(size: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    let text = `${String(index + 1)}.`;
    // Another start and another stride for each text, so that no two go through the sentences in the same order.
    const stride = [3, 7, 9, 11, 13, 17][index % 6] ?? 1;
    for (let at = index * 5; text.length < size; at += stride) {
      text += ` ${SENTENCES[at % SENTENCES.length] ?? ''}`;
    }
    return text.slice(0, size);
  });
}
