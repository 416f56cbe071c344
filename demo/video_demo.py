"""Find and follow the instances of a video; see --help."""

from pmvis_mm.apis.video_demo import main

if __name__ == '__main__':
    main()
