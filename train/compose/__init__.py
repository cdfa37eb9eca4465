"""Training pictures put together on the training's own device, a batch at a time.

The generator's processes take the scenes they draw apart (`layers`); a bank on the device keeps the
newest (`bank`); every batch lays any gap and piece on any background anew (`pick`, `places`,
`paint`), wears it out (`wear`) and looks at it in another way (`views`): `stream` has the whole
way. A GPU learns from thousands of pictures a second, where a core draws a hundred.
"""
