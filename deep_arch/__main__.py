"""Run the command line: `python -m deep_arch`."""

from deep_arch.command_line import main

if __name__ == "__main__":
    main()
