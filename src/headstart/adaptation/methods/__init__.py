"""The methods of adaptation, one file each; a file in this folder is found by itself."""
