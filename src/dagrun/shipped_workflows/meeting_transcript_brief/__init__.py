"""The workflow `meeting_transcript_brief`: `brief` is the function, `transcript` and `talk` read, `findings` collects."""
