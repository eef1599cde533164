"""What a scenario is: its file, parameters, bodies, uploads and expectations."""
