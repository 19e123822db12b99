"""The workflow `inbox_drive_sweep`: `sweep` is the function, `items` reads the inputs, `ranking` gives points."""
