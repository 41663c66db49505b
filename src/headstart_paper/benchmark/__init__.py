"""Making the outcomes that `headstart benchmark` compares scores with: pictures, networks, transfers, scores."""
